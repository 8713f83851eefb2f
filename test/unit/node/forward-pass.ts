/** An independent forward pass: what the perceptron with tensors w0, b0, w1, … computes, rectifiers between its layers. */
export function forwardPass(
  tensors: ReadonlyMap<string, Float32Array>,
  input: Float32Array,
  endsInSigmoid: boolean,
): readonly number[] {
  let x = Array.from(input);
  const layers = tensors.size / 2;
  for (let layer = 0; layer < layers; layer++) {
    const weights = tensors.get(`w${layer}`) ?? new Float32Array();
    const bias = tensors.get(`b${layer}`) ?? new Float32Array();
    const sums = Array.from(bias, (b, j) =>
      x.reduce((sum, v, i) => sum + v * (weights[i * bias.length + j] ?? NaN), b),
    );
    x = layer === layers - 1 ? sums : sums.map((sum) => Math.max(0, sum));
  }
  return endsInSigmoid ? x.map((logit) => 1 / (1 + Math.exp(-logit))) : x;
}
