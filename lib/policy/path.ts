/** `/orders/{id}`: each segment either literal or, as null, any one non-empty segment. */
export type PathTemplate = readonly (string | null)[];
