// Numbers as people read them.

/** 75.3 -> "1:15", 3700 -> "1:01:40" */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = String(rest).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** 7.84 -> "7.8 s", 75 -> "1:15 min" */
export function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return seconds < 3600 ? `${clock(seconds)} min` : `${clock(seconds)} h`;
}

export function bytes(count) {
  if (count < 1e6) return `${Math.max(1, Math.round(count / 1e3))} kB`;
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(1)} GB`;
}

/** What is left, in words that do not jitter: "about 2 min left" */
export function left(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return "";
  if (seconds < 10) return "a few seconds left";
  if (seconds < 90) return `about ${Math.round(seconds / 10) * 10} s left`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min left`;
  return `about ${(seconds / 3600).toFixed(1)} h left`;
}

/** A moment (seconds of Unix time, or ISO text) as the clock of today, else with its date. */
export function moment(value) {
  if (value == null) return "";
  const date = new Date(typeof value === "number" ? value * 1000 : value);
  if (Number.isNaN(date.getTime())) return "";
  const isToday = date.toDateString() === new Date().toDateString();
  const time = { hour: "2-digit", minute: "2-digit" };
  return isToday ? date.toLocaleTimeString([], time)
    : date.toLocaleString([], { ...time, day: "numeric", month: "short" });
}

export function count(n, one, many = `${one}s`) {
  return `${n} ${n === 1 ? one : many}`;
}

/** +2 -> "+2 semitones" */
export function semitones(value) {
  if (!value) return "as the voice";
  return `${value > 0 ? "+" : "−"}${count(Math.abs(value), "semitone")}`;
}

/** A score by its kind: naturalness has two decimals, shares have three. */
export function score(value, decimals = 2) {
  return value == null ? "–" : Number(value).toFixed(decimals);
}

/** "5% of it is clipped" -> "5% of it is clipped." */
export function sentence(words) {
  const text = words.trim();
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
