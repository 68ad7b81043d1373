import chalk, { Chalk } from 'chalk';
chalk.level = 3;
const warn = chalk.bold.hex('#ff8800');
const none = new Chalk({ level: 0 });
export const inputs = ['a'];
export const predictOne = (s: string) => [warn(s), none.red(s), chalk.level, chalk.green(s)];
