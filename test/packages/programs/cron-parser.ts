import { CronExpressionParser } from 'cron-parser';
import { Settings } from 'luxon';
Settings.defaultZone = 'Asia/Tokyo';
const options = { currentDate: new Date('2024-03-01T00:00:00Z') };
export const inputs = ['0 9 * * *'];
export const predictOne = (s: string) => CronExpressionParser.parse(s, options).next().toDate().toISOString();
