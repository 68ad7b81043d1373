import { servingDefaults } from '../../src/contract/serving.ts';
import { MemoryStore } from '../../src/control/memory-store.ts';
import { Registry } from '../../src/control/registry.ts';
import type { Application, ModelVersion } from '../../src/control/state-store.ts';

const application = (name: string, rest: Partial<Application> = {}): Application => ({
  name,
  inputType: 'doubles',
  defaultOutput: '0',
  latencySloMicros: 100_000,
  ...rest,
});

const model = (name: string, version: string, rest: Partial<ModelVersion> = {}): ModelVersion => ({
  name,
  version,
  inputType: 'doubles',
  labels: [],
  containerName: '',
  modelDataPath: '',
  ...servingDefaults,
  ...rest,
});

const refusal = (code: string, message: string | RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

/** Adds versions as management does: the last one is current. */
async function add(registry: Registry, ...models: readonly ModelVersion[]): Promise<void> {
  for (const each of models) {
    await registry.addModel(each);
    await registry.setCurrentVersion(each.name, each.version);
  }
}

const open = (): Promise<Registry> => Registry.open(new MemoryStore());

describe('applications', () => {
  test('are there from their adding to their deletion', async () => {
    const registry = await open();
    await registry.addApplication(application('a'));
    await registry.addApplication(application('b', { latencySloMicros: 5 }));
    expect(registry.applications.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(registry.application('b')).toEqual(application('b', { latencySloMicros: 5 }));
    await registry.deleteApplication('a');
    expect(registry.application('a')).toBeUndefined();
  });

  test('a name that exists is refused, also when both are added at once', async () => {
    const registry = await open();
    const both = await Promise.allSettled([
      registry.addApplication(application('a')),
      registry.addApplication(application('a', { defaultOutput: 'other' })),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(both[1]).toMatchObject({ reason: { code: 'E_APPLICATION_EXISTS', message: expect.stringContaining("'a'") } });
    expect(registry.application('a')?.defaultOutput).toBe('0');
  });

  test('an unknown name is not deleted', async () => {
    const registry = await open();
    await expect(registry.deleteApplication('a')).rejects.toEqual(refusal('E_UNKNOWN_APPLICATION', /'a'/));
  });

  test('a deleted one leaves no link behind for the next of its name', async () => {
    const registry = await open();
    await registry.addApplication(application('a'));
    await add(registry, model('m', '1'));
    await registry.linkModel('a', 'm');
    await registry.deleteApplication('a');
    await registry.addApplication(application('a', { inputType: 'strings' }));
    expect(registry.linkedModels('a')).toEqual([]);
    await add(registry, model('m', '2'));
  });

  test.each(['', 'A', 'a b', '-a', 'a-', 'a:b', 'a,b', 'a.b', 'a/b'])('the name %p is refused', async (name) => {
    const registry = await open();
    await expect(registry.addApplication(application(name))).rejects.toEqual(refusal('E_INVALID_OPTION', 'application name'));
  });
});

describe('model versions', () => {
  test('the one added last is current, until another is set', async () => {
    const registry = await open();
    await add(registry, model('m', '1'), model('m', '2'), model('n', '7'));
    expect(registry.currentVersion('m')).toBe('2');
    await registry.setCurrentVersion('m', '1');
    expect(registry.currentVersion('m')).toBe('1');
    expect(registry.currentVersion('n')).toBe('7');
    expect(registry.versionsOf('m').map(({ version }) => version)).toEqual(['1', '2']);
  });

  test('an existing name and version is refused', async () => {
    const registry = await open();
    await add(registry, model('m', '1'));
    await expect(registry.addModel(model('m', '1', { inputType: 'bytes' }))).rejects.toEqual(
      refusal('E_MODEL_EXISTS', /'m'.*'1'/),
    );
    expect(registry.model('m', '1')?.inputType).toBe('doubles');
  });

  test.each([
    ['name', { name: 'm:n' }],
    ['name', { name: 'm,n' }],
    ['version', { version: '1:2' }],
    ['version', { version: '1,2' }],
    ['version', { version: '' }],
    ['label', { labels: ['fine', 'a:b'] }],
    ['label', { labels: ['a,b'] }],
  ])('a %s with a separator is refused: %j', async (what, wrong) => {
    const registry = await open();
    await expect(registry.addModel({ ...model('m', '1'), ...wrong })).rejects.toEqual(refusal('E_INVALID_OPTION', what));
  });

  test('a version whose input type differs from a linked application is neither added nor set', async () => {
    const registry = await open();
    await registry.addApplication(application('a'));
    await add(registry, model('m', '1', { inputType: 'strings' }), model('m', '2'));
    await registry.linkModel('a', 'm');
    const mismatch = (version: string) => refusal('E_INPUT_TYPE_MISMATCH', `m:${version}.*strings.*'a' takes doubles`);
    await expect(registry.addModel(model('m', '3', { inputType: 'strings' }))).rejects.toEqual(mismatch('3'));
    await expect(registry.setCurrentVersion('m', '1')).rejects.toEqual(mismatch('1'));
    expect(registry.currentVersion('m')).toBe('2');
    await registry.unlinkModel('a', 'm');
    await registry.setCurrentVersion('m', '1');
  });

  test('an unknown or deleted version is neither set nor deleted', async () => {
    const registry = await open();
    await add(registry, model('m', '1'), model('m', '2'));
    await registry.deleteModel('m', '2');
    const unknown = refusal('E_UNKNOWN_MODEL', "'m' and version '2' exists: its versions are 1");
    await expect(registry.deleteModel('m', '2')).rejects.toEqual(unknown);
    await expect(registry.setCurrentVersion('m', '2')).rejects.toEqual(unknown);
    await expect(registry.deleteModel('n', '1')).rejects.toEqual(refusal('E_UNKNOWN_MODEL', 'there is no such model'));
  });

  test('a version that was deleted and added again is told apart from the first', async () => {
    const registry = await open();
    await add(registry, model('m', '1'));
    const before = registry.generation('m', '1');
    await registry.deleteModel('m', '1');
    await add(registry, model('m', '1'));
    expect(registry.generation('m', '1')).not.toBe(before);
  });

  test('the next version is the integer after the largest', async () => {
    const registry = await open();
    expect(registry.nextVersion('m')).toBe('1');
    await add(registry, model('m', '2'), model('m', '10'), model('m', 'beta'), model('m', '9.5'), model('other', '40'));
    expect(registry.nextVersion('m')).toBe('11');
  });
});

describe('links', () => {
  const linkable = async (): Promise<Registry> => {
    const registry = await open();
    await registry.addApplication(application('a'));
    await add(registry, model('m', '1'), model('n', '1'), model('texts', '1', { inputType: 'strings' }));
    return registry;
  };

  test('join an application to one model until they are taken back', async () => {
    const registry = await linkable();
    await registry.linkModel('a', 'm');
    expect(registry.linkedModels('a')).toEqual(['m']);
    await expect(registry.linkModel('a', 'n')).rejects.toEqual(refusal('E_LINK_REFUSED', "'a' is linked to model 'm' already"));
    await expect(registry.linkModel('a', 'm')).rejects.toEqual(refusal('E_LINK_REFUSED', 'already'));
    await registry.unlinkModel('a', 'm');
    await registry.linkModel('a', 'n');
    expect(registry.linkedModels('a')).toEqual(['n']);
  });

  test('need an application and a model that exist, of one input type', async () => {
    const registry = await linkable();
    await expect(registry.linkModel('b', 'm')).rejects.toEqual(refusal('E_UNKNOWN_APPLICATION', "'b'"));
    await expect(registry.linkModel('a', 'x')).rejects.toEqual(refusal('E_UNKNOWN_MODEL', "'x'"));
    await expect(registry.linkModel('a', 'texts')).rejects.toEqual(
      refusal('E_INPUT_TYPE_MISMATCH', 'takes strings.*takes doubles'),
    );
    expect(registry.linkedModels('a')).toEqual([]);
  });

  test('that are not there are not taken back', async () => {
    const registry = await linkable();
    await expect(registry.unlinkModel('a', 'm')).rejects.toEqual(refusal('E_LINK_REFUSED', "'m' is not linked"));
    await expect(registry.unlinkModel('b', 'm')).rejects.toEqual(refusal('E_UNKNOWN_APPLICATION', "'b'"));
  });

  test('to a model whose current version was deleted are refused naming the versions left', async () => {
    const registry = await linkable();
    await add(registry, model('m', '2'));
    await registry.deleteModel('m', '2');
    await expect(registry.linkModel('a', 'm')).rejects.toEqual(refusal('E_UNKNOWN_MODEL', "current version of model 'm'.* 1"));
  });
});

test('what a store holds is there when the registry is opened again', async () => {
  const store = new MemoryStore();
  const registry = await Registry.open(store);
  await registry.addApplication(application('a'));
  await add(registry, model('m', '1'), model('m', '2'));
  await registry.linkModel('a', 'm');
  const again = await Registry.open(store);
  expect(again.applications).toEqual(registry.applications);
  expect(again.models).toEqual(registry.models);
  expect([again.currentVersion('m'), again.linkedModels('a')]).toEqual(['2', ['m']]);
});
