/** What the running Node says of itself and of what it has loaded. */
export interface NodeReport {
  /** Undefined where its C library is another one. */
  readonly glibcVersion: string | undefined;
  /** Paths, mostly. */
  readonly sharedObjects: readonly string[];
}

export function nodeReport(): NodeReport {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean };
  const { excludeNetwork } = report;
  // The names of remote hosts would be looked up.
  report.excludeNetwork = true;
  const { header, sharedObjects } = report.getReport() as unknown as {
    header: { glibcVersionRuntime?: string };
    sharedObjects: readonly string[];
  };
  if (excludeNetwork !== undefined) report.excludeNetwork = excludeNetwork;
  return { glibcVersion: header.glibcVersionRuntime, sharedObjects };
}
