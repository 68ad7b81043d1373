/** Has this process, and those that it starts, use another Docker engine until it is disposed of. */
export function useDockerHost(address: string): Disposable {
  const before = process.env.DOCKER_HOST;
  process.env.DOCKER_HOST = address;
  return {
    [Symbol.dispose]: () => {
      if (before === undefined) delete process.env.DOCKER_HOST;
      else process.env.DOCKER_HOST = before;
    },
  };
}
