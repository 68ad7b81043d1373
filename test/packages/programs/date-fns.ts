import { addDays, format, getDefaultOptions, setDefaultOptions } from 'date-fns';
import { fr } from 'date-fns/locale';
setDefaultOptions({ locale: fr, weekStartsOn: 1 });
const start = new Date(2024, 0, 31);
export const inputs = ['1', '30'];
export const predictOne = (s: string) => [format(addDays(start, Number(s)), 'EEEE d MMMM'), getDefaultOptions().weekStartsOn];
