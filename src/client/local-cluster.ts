import { ClipperError } from '../errors.ts';
import { type RunningCluster, runningClusters } from '../util/running-clusters.ts';
import { readToken } from '../util/token-file.ts';

/** The running cluster of this user and machine that has just this management address. */
export const localCluster = async (managementUrl: string): Promise<RunningCluster | undefined> =>
  (await runningClusters()).find((each) => each.managementUrl === managementUrl);

/** The running cluster of this user and machine with a name. Throws E_SERVER_UNREACHABLE. */
export async function namedCluster(name: string): Promise<RunningCluster> {
  const running = (await runningClusters()).filter(({ managementUrl }) => managementUrl !== undefined);
  const found = running.find((each) => each.name === name);
  if (found !== undefined) return found;
  const there = running.length === 0 ? 'none runs' : `those that run are ${running.map((each) => each.name).join(', ')}`;
  throw new ClipperError('E_SERVER_UNREACHABLE', `No cluster of yours with name '${name}' runs on this machine: ${there}`);
}

/**
 * The token for a cluster where none was given: that of the environment, else a local one's own. Throws E_INVALID_OPTION
 * for a token file that others may know.
 */
export async function findToken(local: RunningCluster | undefined): Promise<string | undefined> {
  const { CLIPPER_TOKEN: ofEnvironment } = process.env;
  if (ofEnvironment !== undefined && ofEnvironment !== '') return ofEnvironment;
  return local?.tokenFile === undefined ? undefined : readToken(local.tokenFile);
}
