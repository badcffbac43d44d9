// Numbers and times as people read them.

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'];

/** `1.5 MB`. Of a file that has not arrived, nobody may have said how large it is. */
export function bytes(count) {
  if (count === null || count === undefined) return '–';
  const power = Math.min(count < 1 ? 0 : Math.floor(Math.log10(count) / 3), UNITS.length - 1);
  const number = count / 1000 ** power;
  return `${power && number < 100 ? number.toFixed(1) : Math.round(number)} ${UNITS[power]}`;
}

/** `1:02:03` */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const padded = (number) => String(number).padStart(2, '0');
  return `${hours ? `${hours}:${padded(minutes)}` : minutes}:${padded(whole % 60)}`;
}

export function dateTime(text) {
  return new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(text));
}

export function date(text) {
  return new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' }).format(new Date(text));
}

/** A day in UTC, as `2026-11-20`. */
export function day(text) {
  const shape = { day: 'numeric', month: 'short', timeZone: 'UTC' };
  return new Intl.DateTimeFormat(undefined, shape).format(new Date(`${text}T00:00:00Z`));
}

/** `1 view`, `2 views` */
export function counted(count, word) {
  return `${new Intl.NumberFormat().format(count)} ${word}${count === 1 ? '' : 's'}`;
}

/** `awaiting_upload` as `Awaiting upload`. */
export function words(name) {
  const text = name.replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const TONES = { ready: 'good', rejected: 'bad', failed: 'bad', expired: 'bad' };

/** Which colour the state of a media has. */
export function tone(status) {
  return TONES[status] ?? 'busy';
}
