import colors from 'ansi-colors';
colors.enabled = true;
colors.alias('loud', colors.bold.red);
colors.theme({ warn: colors.yellow });
export const inputs = ['a'];
export const predictOne = (s: string) => [(colors as any).loud(s), (colors as any).warn(s), colors.unstyle(colors.blue(s))];
