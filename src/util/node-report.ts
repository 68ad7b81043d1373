/** Facts about the running Node and the libraries it has loaded. */
export interface NodeReport {
  /** Undefined with another C library. */
  readonly glibcVersion: string | undefined;
  /** Mostly paths. */
  readonly sharedObjects: readonly string[];
}

export function nodeReport(): NodeReport {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean };
  const { excludeNetwork } = report;
  // Otherwise the report looks up the names of remote hosts.
  report.excludeNetwork = true;
  const { header, sharedObjects } = report.getReport() as unknown as {
    header: { glibcVersionRuntime?: string };
    sharedObjects: readonly string[];
  };
  if (excludeNetwork !== undefined) report.excludeNetwork = excludeNetwork;
  return { glibcVersion: header.glibcVersionRuntime, sharedObjects };
}
