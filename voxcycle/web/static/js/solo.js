// One sound at a time: whoever starts stops the one before.

let current = null;

export function take(stop) {
  if (current && current !== stop) current();
  current = stop;
}

export function release(stop) {
  if (current === stop) current = null;
}
