const SQRT_2_PI = Math.sqrt(2 * Math.PI);
/** From here on the polynomials lose their relative accuracy, and a short continued fraction has gained it. */
const POLYNOMIAL_UP_TO = 10 / Math.SQRT2;
/** Beyond this the probability is below the smallest number. */
const NOTHING_BEYOND = 38;

/**
 * Φ(z), the probability of a value up to z. Hart's algorithm 5666 (Hart and others, Computer Approximations, 1968) with a
 * continued fraction for the tail, as given by West, "Better approximations to cumulative normal functions", 2005.
 */
export function normalCdf(z: number): number {
  const x = Math.abs(z);
  const tail = x > NOTHING_BEYOND ? 0 : Math.exp(-0.5 * x * x) * tailFactor(x);
  return z > 0 ? 1 - tail : tail;
}

function tailFactor(x: number): number {
  if (x >= POLYNOMIAL_UP_TO) return 1 / (SQRT_2_PI * continuedFraction(x));
  const above = horner7(
    x,
    0,
    3.52624965998911e-2,
    0.700383064443688,
    6.37396220353165,
    33.912866078383,
    112.079291497871,
    221.213596169931,
    220.206867912376,
  );
  const below = horner7(
    x,
    8.83883476483184e-2,
    1.75566716318264,
    16.064177579207,
    86.7807322029461,
    296.564248779674,
    637.333633378831,
    793.826512519948,
    440.413735824752,
  );
  return above / below;
}

/** x + 1/(x + 2/(x + 3/(x + …))), Abramowitz and Stegun 26.2.14. */
function continuedFraction(x: number): number {
  let value = x;
  for (let term = 20; term >= 1; term--) value = x + term / value;
  return value;
}

/**
 * Φ⁻¹(u) for u in (0, 1): algorithm AS 241, PPND16 (Wichura, Applied Statistics 37(3), 1988), relative error about 1e-16.
 */
export function normalQuantile(u: number): number {
  const q = u - 0.5;
  if (Math.abs(q) <= 0.425) return q * central(0.180625 - q * q);
  const r = Math.sqrt(-Math.log(q < 0 ? u : 1 - u));
  const z = r <= 5 ? intermediate(r - 1.6) : far(r - 5);
  return q < 0 ? -z : z;
}

function central(r: number): number {
  const above = horner7(
    r,
    2509.0809287301227,
    33430.57558358813,
    67265.7709270087,
    45921.95393154987,
    13731.69376550946,
    1971.5909503065513,
    133.14166789178438,
    3.3871328727963665,
  );
  const below = horner7(
    r,
    5226.495278852854,
    28729.085735721943,
    39307.89580009271,
    21213.794301586597,
    5394.196021424751,
    687.1870074920579,
    42.31333070160091,
    1,
  );
  return above / below;
}

function intermediate(r: number): number {
  const above = horner7(
    r,
    0.0007745450142783414,
    0.022723844989269184,
    0.2417807251774506,
    1.2704582524523684,
    3.6478483247632045,
    5.769497221460691,
    4.630337846156546,
    1.4234371107496835,
  );
  const below = horner7(
    r,
    1.0507500716444169e-9,
    0.0005475938084995345,
    0.015198666563616457,
    0.14810397642748008,
    0.6897673349851,
    1.6763848301838038,
    2.053191626637759,
    1,
  );
  return above / below;
}

function far(r: number): number {
  const above = horner7(
    r,
    2.0103343992922881e-7,
    2.7115555687434876e-5,
    0.0012426609473880784,
    0.026532189526576124,
    0.29656057182850487,
    1.7848265399172913,
    5.463784911164114,
    6.657904643501103,
  );
  const below = horner7(
    r,
    2.0442631033899397e-15,
    1.421511758316446e-7,
    1.8463183175100548e-5,
    0.0007868691311456133,
    0.014875361290850615,
    0.1369298809227358,
    0.599832206555888,
    1,
  );
  return above / below;
}

/** Coefficients from the seventh power down to the constant. */
function horner7(
  x: number,
  c7: number,
  c6: number,
  c5: number,
  c4: number,
  c3: number,
  c2: number,
  c1: number,
  c0: number,
): number {
  return ((((((c7 * x + c6) * x + c5) * x + c4) * x + c3) * x + c2) * x + c1) * x + c0;
}
