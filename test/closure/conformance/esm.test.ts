import { outcomesCompiled } from '../../helpers/compiled-table.ts';
import { describeTable } from '../../helpers/conformance.ts';

describeTable('in plain ES modules', async () => outcomesCompiled('esm'));
