import { outcomesCompiled } from '../../helpers/compiled-table.ts';
import { describeTable } from '../../helpers/conformance.ts';

describeTable('in plain CommonJS', async () => outcomesCompiled('cjs'));
