import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RestClient } from '../../src/client/rest-client.ts';
import { getAllModels } from '../../src/contract/models.ts';

/** A client of a server that answers everything with the same JSON. */
async function clientOf(answer: unknown): Promise<{ readonly client: RestClient } & AsyncDisposable> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new RestClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return { client, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

const model = {
  ...{ model_name: 'm', model_version: 1, input_type: 'doubles', labels: [], container_name: 'c', model_data_path: '' },
  is_current_version: true,
};

test('an answer without our settings, as Clipper gives it, has their defaults', async () => {
  await using server = await clientOf([model]);
  const settings = { batch_size: -1, batch_delay_micros: 0, hedge: false, cache: true };
  expect(await server.client.call(getAllModels, { verbose: true })).toEqual([{ ...model, model_version: '1', ...settings }]);
});

test('an answer that is not as agreed is refused, with the endpoint that gave it', async () => {
  await using server = await clientOf([{ ...model, labels: 'none' }]);
  await expect(server.client.call(getAllModels, { verbose: true })).rejects.toMatchObject({
    code: 'E_PROTOCOL',
    message: expect.stringMatching(/get_all_models gave an answer that this client does not understand/),
  });
});
