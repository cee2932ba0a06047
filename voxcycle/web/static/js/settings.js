// What the page remembers between visits, in this browser alone.

const KEY = "voxcycle.settings";

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

export function recall(name, otherwise = null) {
  return read()[name] ?? otherwise;
}

export function remember(name, value) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...read(), [name]: value }));
  } catch { /* storage may be off: the choice holds for this page */ }
}

/** Keep a field's value over reloads. */
export function keep(field) {
  const kept = recall(field.id);
  if (kept != null) field.value = kept;
  field.addEventListener("change", () => remember(field.id, field.value));
}

/** Keep which of the radio buttons of a name is chosen over reloads; `hear(value)` is called now, too. */
export function keepChoice(name, hear) {
  const kept = recall(name);
  for (const input of document.getElementsByName(name)) {
    if (input.value === kept) input.checked = true;
    input.addEventListener("change", () => {
      remember(name, input.value);
      hear(input.value);
    });
    if (input.checked) hear(input.value);
  }
}
