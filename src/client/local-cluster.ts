import { type RunningCluster, runningClusters } from '../util/running-clusters.ts';
import { readToken } from '../util/token-file.ts';

/** The running cluster of this user and machine that has just this management address. */
export const localCluster = async (managementUrl: string): Promise<RunningCluster | undefined> =>
  (await runningClusters()).find((each) => each.managementUrl === managementUrl);

/**
 * The token for a cluster where none was given: that of the environment, else a local one's own. Throws E_INVALID_OPTION
 * for a token file that others may know.
 */
export async function findToken(local: RunningCluster | undefined): Promise<string | undefined> {
  const { CLIPPER_TOKEN: ofEnvironment } = process.env;
  if (ofEnvironment !== undefined && ofEnvironment !== '') return ofEnvironment;
  return local?.tokenFile === undefined ? undefined : readToken(local.tokenFile);
}
