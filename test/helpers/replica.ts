import { devNull } from 'node:os';
import { type ContainerEnvironment, type ModelContainer, RPCService } from '../../runtime/index.ts';
import type { Answerer } from '../../runtime/model-container.ts';

/** A replica in this process, with its real connection. */
export interface Replica extends AsyncDisposable {
  readonly service: RPCService;
}

export function startReplica(
  model: ModelContainer | Answerer,
  environment: Partial<ContainerEnvironment> & { readonly port: number },
): Replica {
  const defaults = {
    modelName: 'm',
    modelVersion: '1',
    errorsExtension: true,
    packedExtension: true,
    readyFile: devNull,
  } as const;
  const service = new RPCService({ ...defaults, ...environment });
  const serving = service.start(model);
  const stop = async (): Promise<void> => {
    await service.stop();
    await serving;
  };
  return { service, [Symbol.asyncDispose]: stop };
}
