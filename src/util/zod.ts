import { giveBack } from './zod-apart.ts';

export { z } from 'zod';

giveBack();
