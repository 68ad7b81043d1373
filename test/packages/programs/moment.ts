import moment from 'moment';
import 'moment/locale/fr.js';
moment.locale('fr');
moment.updateLocale('fr', { monthsShort: [...'ABCDEFGHIJKL'] });
const start = moment.utc('2024-02-28');
export const inputs = ['1', '40'];
export const predictOne = (s: string) => [
  start.clone().add(Number(s), 'd').format('dddd LL MMM'),
  moment.duration(Number(s), 'd').humanize(),
  moment.locale(),
];
