const SQRT_2_PI = Math.sqrt(2 * Math.PI);
/** From here on the polynomials lose their relative accuracy, and a short continued fraction has gained it. */
const POLYNOMIAL_UP_TO = 5;
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
  const above =
    (((((3.52624965998911e-2 * x + 0.700383064443688) * x + 6.37396220353165) * x + 33.912866078383) * x +
      112.079291497871) *
      x +
      221.213596169931) *
      x +
    220.206867912376;
  const below =
    ((((((8.83883476483184e-2 * x + 1.75566716318264) * x + 16.064177579207) * x + 86.7807322029461) * x +
      296.564248779674) *
      x +
      637.333633378831) *
      x +
      793.826512519948) *
      x +
    440.413735824752;
  return above / below;
}

/** x + 1/(x + 2/(x + 3/(x + …))), Abramowitz and Stegun 26.2.14. */
function continuedFraction(x: number): number {
  let value = x;
  for (let term = 40; term >= 1; term--) value = x + term / value;
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
  const above =
    ((((((2509.0809287301227 * r + 33430.57558358813) * r + 67265.7709270087) * r + 45921.95393154987) * r +
      13731.69376550946) *
      r +
      1971.5909503065513) *
      r +
      133.14166789178438) *
      r +
    3.3871328727963665;
  const below =
    ((((((5226.495278852854 * r + 28729.085735721943) * r + 39307.89580009271) * r + 21213.794301586597) * r +
      5394.196021424751) *
      r +
      687.1870074920579) *
      r +
      42.31333070160091) *
      r +
    1;
  return above / below;
}

function intermediate(r: number): number {
  const above =
    ((((((0.0007745450142783414 * r + 0.022723844989269184) * r + 0.2417807251774506) * r + 1.2704582524523684) * r +
      3.6478483247632045) *
      r +
      5.769497221460691) *
      r +
      4.630337846156546) *
      r +
    1.4234371107496835;
  const below =
    ((((((1.0507500716444169e-9 * r + 0.0005475938084995345) * r + 0.015198666563616457) * r + 0.14810397642748008) *
      r +
      0.6897673349851) *
      r +
      1.6763848301838038) *
      r +
      2.053191626637759) *
      r +
    1;
  return above / below;
}

function far(r: number): number {
  const above =
    ((((((2.0103343992922881e-7 * r + 2.7115555687434876e-5) * r + 0.0012426609473880784) * r + 0.026532189526576124) *
      r +
      0.29656057182850487) *
      r +
      1.7848265399172913) *
      r +
      5.463784911164114) *
      r +
    6.657904643501103;
  const below =
    ((((((2.0442631033899397e-15 * r + 1.421511758316446e-7) * r + 1.8463183175100548e-5) * r + 0.0007868691311456133) *
      r +
      0.014875361290850615) *
      r +
      0.1369298809227358) *
      r +
      0.599832206555888) *
      r +
    1;
  return above / below;
}
