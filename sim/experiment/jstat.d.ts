/** The few functions of jstat that are used here; the package comes without types. */
declare module "jstat" {
  const jstat: {
    readonly studentt: { inv(p: number, degrees: number): number };
    readonly normal: {
      cdf(x: number, mean: number, sd: number): number;
      inv(p: number, mean: number, sd: number): number;
    };
    gammaln(x: number): number;
  };
  export = jstat;
}
