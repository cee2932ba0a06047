// Calls of the server. Writes carry the page's token; refusals throw the server's own sentence.

let token = document.querySelector('meta[name="csrf-token"]').content;

/** Take the token of a server that was started again. */
export function renewToken(value) {
  token = value;
}

export class Refused extends Error {}

function readError(status, text) {
  try {
    const { error } = JSON.parse(text);
    if (error) return error;
  } catch { /* no JSON: a proxy, or a server of another kind */ }
  return `The server answered ${status}.`;
}

async function call(method, path, body) {
  const headers = method === "GET" ? {} : { "X-CSRF-Token": token };
  if (body !== undefined && !(body instanceof FormData)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, { method, headers, body });
  } catch {
    throw new Refused("The server does not answer. Is voxcycle serve still running?");
  }
  const text = await response.text();
  if (!response.ok) throw new Refused(readError(response.status, text));
  return text ? JSON.parse(text) : null;
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
export const patch = (path, body) => call("PATCH", path, body);
export const remove = (path) => call("DELETE", path);

/** Fetch the bytes behind a URL of ours. */
export async function getBytes(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Refused(readError(response.status, await response.text()));
  return response.arrayBuffer();
}

/** Send one file; `report(share)` hears how far it is. Resolves to the server's answer. */
export function send(path, file, report, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch says nothing of an upload's progress
    request.open("POST", path);
    request.setRequestHeader("X-CSRF-Token", token);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) report(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      if (request.status >= 400) reject(new Refused(readError(request.status, request.responseText)));
      else resolve(JSON.parse(request.responseText));
    });
    request.addEventListener("error", () => reject(new Refused(`${file.name}: the upload was cut off.`)));
    request.addEventListener("abort", () => reject(new Refused(`${file.name}: the upload was stopped.`)));
    signal?.addEventListener("abort", () => request.abort());
    const form = new FormData();
    form.append("file", file, file.name);
    request.send(form);
  });
}
