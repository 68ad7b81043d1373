import { ClipperError } from '../errors.ts';
import { type RunningCluster, runningClusters } from '../util/running-clusters.ts';
import { readToken } from '../util/token-file.ts';

/** This user's running cluster on this machine with exactly this management address. */
export const localCluster = async (managementUrl: string): Promise<RunningCluster | undefined> =>
  (await runningClusters()).find((each) => each.managementUrl === managementUrl);

/** This user's running cluster on this machine with this name. Throws E_SERVER_UNREACHABLE. */
export async function namedCluster(name: string): Promise<RunningCluster> {
  const running = (await runningClusters()).filter(({ managementUrl }) => managementUrl !== undefined);
  const found = running.find((each) => each.name === name);
  if (found !== undefined) return found;
  const there = running.length === 0 ? 'none runs' : `those that run are ${running.map((each) => each.name).join(', ')}`;
  throw new ClipperError('E_SERVER_UNREACHABLE', `No cluster of yours with name '${name}' runs on this machine: ${there}`);
}

/**
 * The token if none was given: from the environment, else from a local cluster's token file. Throws E_INVALID_OPTION if
 * others can read that file.
 */
export async function findToken(local: RunningCluster | undefined): Promise<string | undefined> {
  const { CLIPPER_TOKEN: ofEnvironment } = process.env;
  if (ofEnvironment !== undefined && ofEnvironment !== '') return ofEnvironment;
  return local?.tokenFile === undefined ? undefined : readToken(local.tokenFile);
}
