// Views day by day: bars, and the same numbers as a table for whoever does not see them, or wants them exact.

import { drawn, element } from './elements.js';
import { counted, day } from './format.js';

const HEIGHT = 180;
const TOP = 12;
const BOTTOM = 24;
const LEFT = 36;

/** A figure of `daily`, as `GET /media/{media_id}/analytics` answers it. */
export function viewsChart(daily) {
  const views = daily.reduce((sum, { views }) => sum + views, 0);
  const busiest = daily.reduce((most, one) => (one.views > most.views ? one : most), daily[0]);
  const summary =
    `${counted(views, 'view')} from ${day(daily[0].date)} to ${day(daily.at(-1).date)}` +
    (views ? `, most on ${day(busiest.date)} with ${counted(busiest.views, 'view')}.` : '.');
  return element(
    'figure',
    { class: 'chart' },
    bars(daily, summary),
    element('figcaption', {}, summary),
    element('details', {}, element('summary', {}, 'Show as a table'), table(daily)),
  );
}

/** As wide as there is room for, so that its text is as large as other text. */
function widthHere() {
  return Math.min(640, Math.max(260, innerWidth - 66));
}

function bars(daily, summary) {
  const whole = widthHere();
  const top = scaleEnd(Math.max(...daily.map(({ views }) => views)));
  const [height, width] = [HEIGHT - TOP - BOTTOM, whole - LEFT];
  const y = (views) => TOP + height * (1 - views / top);
  const slot = width / daily.length;
  const lines = [0, top / 2, top].map((value) => [
    drawn('line', { class: 'grid', x1: LEFT, x2: whole, y1: y(value), y2: y(value) }),
    drawn('text', { class: 'tick', x: LEFT - 8, y: y(value) + 4, 'text-anchor': 'end' }, value),
  ]);
  const columns = daily.map(({ date, views }, index) => {
    const place = { x: LEFT + slot * (index + 0.15), y: y(views), width: slot * 0.7, height: y(0) - y(views) };
    const name = drawn('title', {}, `${day(date)}: ${counted(views, 'view')}`);
    // The whole height answers the pointer, so that a day without views tells its number, too.
    const target = drawn('rect', { class: 'target', x: LEFT + slot * index, y: TOP, width: slot, height }, name);
    return drawn('g', {}, drawn('rect', { class: 'bar', rx: Math.min(3, slot / 5), ...place }), target);
  });
  const ends = [
    drawn('text', { class: 'tick', x: LEFT, y: HEIGHT - 6 }, day(daily[0].date)),
    drawn('text', { class: 'tick', x: whole, y: HEIGHT - 6, 'text-anchor': 'end' }, day(daily.at(-1).date)),
  ];
  const frame = { viewBox: `0 0 ${whole} ${HEIGHT}`, role: 'img', 'aria-label': summary };
  return drawn('svg', frame, lines, columns, daily.length > 1 ? ends : ends[0]);
}

/** The end of the scale: an even number, so that half of it is whole; of its magnitude 2, 4, 6, 8 or 10. */
function scaleEnd(most) {
  const magnitude = Math.max(1, 10 ** Math.floor(Math.log10(Math.max(most, 1))));
  return 2 * magnitude * Math.max(1, Math.ceil(most / (2 * magnitude)));
}

function table(daily) {
  const heading = (text) => element('th', { scope: 'col' }, text);
  const row = ({ date, views, unique_viewers }) => {
    const numbers = [views, unique_viewers].map((number) => element('td', {}, number));
    return element('tr', {}, element('th', { scope: 'row' }, date), numbers);
  };
  return element(
    'div',
    { class: 'scrolled', tabindex: 0, role: 'region', 'aria-label': 'Views day by day' },
    element(
      'table',
      {},
      element('thead', {}, element('tr', {}, ['Day (UTC)', 'Views', 'Viewers'].map(heading))),
      element('tbody', {}, [...daily].reverse().map(row)),
    ),
  );
}
