import { getAllReplicas, getReplica, type Replica as ReplicaAnswer } from '../../contract/models.ts';
import { modelKey } from '../../control/names.ts';
import type { RpcReplica } from '../../rpc/rpc-replica.ts';
import type { z } from '../../util/zod.ts';
import type { Api } from '../api.ts';
import { addManagementEndpoint } from './management-endpoint.ts';

const describe = (replica: RpcReplica): z.input<typeof ReplicaAnswer> => ({
  model_id: replica.model,
  model_name: replica.modelName,
  model_version: replica.modelVersion,
  model_replica_id: replica.replicaId,
  input_type: replica.inputType,
});

/** Connected replicas. */
export function addReplicaRoutes(api: Api, replicas: () => readonly RpcReplica[]): void {
  addManagementEndpoint(api, getAllReplicas, (body) =>
    replicas().map((each) => (body.verbose ? describe(each) : `${each.model}:${each.replicaId}`)),
  );
  addManagementEndpoint(api, getReplica, ({ model_name, model_version, replica_id }) => {
    const key = modelKey(model_name, model_version);
    const replica = replicas().find((each) => each.model === key && each.replicaId === replica_id);
    return replica === undefined ? {} : describe(replica);
  });
}
