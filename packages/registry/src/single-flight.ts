/** Runs work that several ask for at once. Each host chooses how far "at once" reaches. */
export type SingleFlight = <Result>(key: string, work: () => Promise<Result>) => Promise<Result>;

/** All who ask while a work of that key is under way share its result, also its failure; whoever comes later starts anew. */
export function createSingleFlight(): SingleFlight {
  const flights = new Map<string, Promise<unknown>>();
  return <Result>(key: string, work: () => Promise<Result>): Promise<Result> => {
    const under = flights.get(key);
    if (under) return under as Promise<Result>;
    const flight = work().finally(() => flights.delete(key));
    flights.set(key, flight);
    return flight;
  };
}
