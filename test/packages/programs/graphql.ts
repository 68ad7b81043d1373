import { buildSchema, graphqlSync, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
const schema = buildSchema('type Query { hello(name: String!): String, n: Int }');
const coded = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { x: { type: GraphQLString, resolve: () => 'y' } } }),
});
export const inputs = ['bo'];
export const predictOne = (s: string) => [
  graphqlSync({
    schema,
    source: `{ hello(name: "${s}") n }`,
    rootValue: { hello: ({ name }: { name: string }) => `hi ${name}`, n: 3 },
  }).data,
  graphqlSync({ schema: coded, source: '{ x }' }).data,
];
