// The files of a drop, those of dropped folders included.

async function walk(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const files = [];
  for (;;) { // a reader hands out a hundred entries at a time
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return files;
    for (const child of entries) files.push(...await walk(child));
  }
}

const SOUNDS = /\.(wav|wave|flac|ogg|oga|opus|mp3|m4a|aac|wma|aiff?|caf|au|w64|rf64|mp4|mov|mkv|webm)$/i;

/** Whether a file of a folder may be a recording; what somebody chose by name is always sent. */
function isRecording(file) {
  return !file.name.startsWith(".") && (/^(audio|video)\//.test(file.type) || SOUNDS.test(file.name));
}

const collator = new Intl.Collator(undefined, { numeric: true });

/** The recordings of a folder, in the order of their names: 2 before 10. */
export function recordingsOf(files) {
  const pathOf = (file) => file.webkitRelativePath || file.name;
  return files.filter(isRecording).sort((x, y) => collator.compare(pathOf(x), pathOf(y)));
}

/** Return the files of a drop; of dropped folders, their recordings. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const found = await Promise.all(entries.map(async (entry) => {
    const files = await walk(entry);
    return entry.isDirectory ? recordingsOf(files) : files;
  }));
  return found.flat();
}
