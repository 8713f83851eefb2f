pragma circom 2.1.0;

/*
 * A quantised perceptron with one hidden layer, in the integers of scheduler/node/zkml/perceptron.ts. docs/ZKML.md argues why
 * no other output than that one satisfies these constraints. Weights are template parameters, hence constants of the
 * constraints and of the verification key. All signals stay far below the field's order, so sums are sums of integers.
 */

/** The `n` low bits of `value`; no witness exists unless 0 <= value < 2^n. Unique while 2^n is below the field's order. */
template Bits(n) {
    signal input value;
    signal output bit[n];
    var sum = 0;
    for (var i = 0; i < n; i++) {
        bit[i] <-- (value >> i) & 1;
        bit[i] * (bit[i] - 1) === 0;
        sum += bit[i] * 2 ** i;
    }
    sum === value;
}

/** max(0, value) for |value| < 2^n: the top bit of value + 2^n says whether value is negative. */
template Rectifier(n) {
    signal input value;
    signal output active;
    component bits = Bits(n + 1);
    bits.value <== value + 2 ** n;
    active <== value * bits.bit[n];
}

/** floor(value / 2^shift), clamped to 0..255, for |value| < 2^n. */
template Score(n, shift) {
    signal input value;
    signal output score;
    component bits = Bits(n + 1);
    bits.value <== value + 2 ** n;

    var low = 0;
    var high = 0;
    for (var i = 0; i < 8; i++) low += bits.bit[shift + i] * 2 ** i;
    for (var i = shift + 8; i < n; i++) high += bits.bit[i];

    // over = (high != 0): the second constraint forces 1 where high is not zero, the first 0 where it is.
    signal inverse <-- high == 0 ? 0 : 1 / high;
    signal over <== high * inverse;
    high * (1 - over) === 0;

    signal capped <== over * (255 - low) + low;
    score <== bits.bit[n] * capped;
}

/**
 * Public: the model's digest and the statement's digest as two limbs of 128 bits each, high limb first, then outputs and
 * inputs. The bounds hiddenBits and outputBits are worked out from the weights by circuit.ts.
 */
template Perceptron(inputs, hidden, modelHigh, modelLow, weights, bias, outWeights, outBias, hiddenBits, outputBits, shift) {
    signal input model[2];
    signal input binding[2];
    signal input y[1];
    signal input x[inputs];

    // A verification key is good for one model only.
    model[0] === modelHigh;
    model[1] === modelLow;

    // Nothing is computed from the binding; a constraint of its own keeps every tool from dropping it.
    signal square[2];
    for (var i = 0; i < 2; i++) square[i] <== binding[i] * binding[i];

    component range[inputs];
    for (var i = 0; i < inputs; i++) {
        range[i] = Bits(8);
        range[i].value <== x[i];
    }

    component relu[hidden];
    var sum = outBias;
    for (var j = 0; j < hidden; j++) {
        var before = bias[j];
        for (var i = 0; i < inputs; i++) before += weights[j][i] * (x[i] - 128);
        relu[j] = Rectifier(hiddenBits);
        relu[j].value <== before;
        sum += outWeights[j] * relu[j].active;
    }

    // Half of the score's range stands for even odds.
    component score = Score(outputBits, shift);
    score.value <== sum + 128 * 2 ** shift;
    y[0] === score.score;
}
