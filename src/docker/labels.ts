/** The labels that we put on what we make on a Docker engine. */
export const labels = {
  /** On containers and networks: the cluster, and the one server of it that they are of. */
  cluster: 'clipper-ts.cluster',
  server: 'clipper-ts.server',
  /** On both: the state of the cluster. A server that is started on the same one takes them over. */
  state: 'clipper-ts.state',
  /** On volumes: the server that another one took over from. */
  heirOf: 'clipper-ts.heir-of',
  instance: 'clipper-ts.instance',
  /** On containers: what they were made with. */
  settings: 'clipper-ts.settings',
  /** On containers that only hold a network. */
  sandbox: 'clipper-ts.sandbox',
  /** On containers and images of models. */
  model: 'clipper-ts.model',
  version: 'clipper-ts.version',
  inputType: 'clipper-ts.input-type',
  /** On every image that was made of a bundle: its digest. */
  bundle: 'clipper-ts.bundle',
  /** On images with the runtime: where Node is in it, and which C library it uses. */
  node: 'clipper-ts.node',
  nodeVersion: 'clipper-ts.node-version',
  libc: 'clipper-ts.libc',
} as const;

/** The names of the images that are made for a cluster start so; they go with it. */
export const imageRepository = (cluster: string): string => `clipper-ts/${cluster}`;

/** The name of the images with Node and the runtime. They stay for the next cluster. */
export const runtimeRepository = 'clipper-ts/runtime';
