/** Labels on everything that we create on a Docker engine. */
export const labels = {
  /** On containers and networks: the cluster, and the server that created them. */
  cluster: 'clipper-ts.cluster',
  server: 'clipper-ts.server',
  /** On both: the cluster's state. A new server with the same state takes them over. */
  state: 'clipper-ts.state',
  /** On volumes: the server that was taken over. */
  heirOf: 'clipper-ts.heir-of',
  instance: 'clipper-ts.instance',
  /** On containers: a hash of their settings. */
  settings: 'clipper-ts.settings',
  /** On containers that only hold a network. */
  sandbox: 'clipper-ts.sandbox',
  /** On models' containers and images. */
  model: 'clipper-ts.model',
  version: 'clipper-ts.version',
  inputType: 'clipper-ts.input-type',
  /** On images made from a bundle: its digest. */
  bundle: 'clipper-ts.bundle',
  /** On images with the runtime: the path of Node, its version, and its C library. */
  node: 'clipper-ts.node',
  nodeVersion: 'clipper-ts.node-version',
  libc: 'clipper-ts.libc',
} as const;

/** The prefix of a cluster's image names. They are removed with the cluster. */
export const imageRepository = (cluster: string): string => `clipper-ts/${cluster}`;

/** The name of images with Node and the runtime. They are kept for other clusters. */
export const runtimeRepository = 'clipper-ts/runtime';
