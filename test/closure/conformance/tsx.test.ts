import { describeTable, printedBy } from '../../helpers/conformance.ts';

describeTable('under tsx', async () => printedBy(['--import', 'tsx', 'test/helpers/print-outcomes.ts']));
