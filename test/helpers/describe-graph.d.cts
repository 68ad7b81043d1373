export declare function describeGraph(root: unknown): string;
