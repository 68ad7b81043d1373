import { modelKey } from '../../control/names.ts';
import { inputTypes } from '../../protocol/input-types.ts';
import type { RpcReplica } from '../../rpc/rpc-replica.ts';
import { z } from '../../util/zod.ts';
import type { Api } from '../api.ts';
import { addManagementEndpoint } from './management-endpoint.ts';
import { modelVersion, none, verbose } from './management-schemas.ts';

const ReplicaAnswer = z
  .object({
    model_id: z.string(),
    model_name: z.string(),
    model_version: z.string(),
    model_replica_id: z.number().int(),
    input_type: z.enum(inputTypes),
  })
  .meta({ id: 'Replica' });

const describe = (replica: RpcReplica): z.output<typeof ReplicaAnswer> => ({
  model_id: replica.model,
  model_name: replica.modelName,
  model_version: replica.modelVersion,
  model_replica_id: replica.replicaId,
  input_type: replica.inputType,
});

/** Connected replicas. */
export function addReplicaRoutes(api: Api, replicas: () => readonly RpcReplica[]): void {
  addManagementEndpoint(api, 'get_all_containers', {
    summary: 'Every connected replica: `name:version:id` or, verbose, all of it.',
    body: verbose,
    gives: z.array(z.union([z.string(), ReplicaAnswer])),
    answer: (body) => replicas().map((each) => (body.verbose ? describe(each) : `${each.model}:${each.replicaId}`)),
  });
  addManagementEndpoint(api, 'get_container', {
    summary: 'One connected replica, or an empty object.',
    body: z.object({ ...modelVersion, replica_id: z.number().int() }),
    gives: z.union([ReplicaAnswer, none]),
    answer: ({ model_name, model_version, replica_id }) => {
      const key = modelKey(model_name, model_version);
      const replica = replicas().find((each) => each.model === key && each.replicaId === replica_id);
      return replica === undefined ? {} : describe(replica);
    },
  });
}
