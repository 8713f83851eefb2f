import protobuf from "protobufjs";

/**
 * The few messages of the ONNX format that a multilayer perceptron needs, with the field numbers of onnx.proto
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, IR version 8). Readers of the format skip what they do not find.
 */
const SCHEMA = `
  syntax = "proto3";
  message ModelProto {
    int64 ir_version = 1; string producer_name = 2; string doc_string = 6; GraphProto graph = 7;
    repeated OperatorSetIdProto opset_import = 8;
  }
  message OperatorSetIdProto { string domain = 1; int64 version = 2; }
  message GraphProto {
    repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5;
    repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
  }
  message NodeProto { repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4; }
  message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
  message ValueInfoProto { string name = 1; TypeProto type = 2; }
  message TypeProto { TensorTypeProto tensor_type = 1; }
  message TensorTypeProto { int32 elem_type = 1; TensorShapeProto shape = 2; }
  message TensorShapeProto { repeated Dimension dim = 1; }
  message Dimension { int64 dim_value = 1; }
`;

const FLOAT32 = 1;
const IR_VERSION = 8;
const OPSET_VERSION = 17;

/** One layer: `y = activation(x · weights + bias)`. */
export interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  /** Row-major [inputs, outputs]. */
  readonly weights: Float32Array;
  /** [outputs] */
  readonly bias: Float32Array;
  readonly activation: "Relu" | "Sigmoid" | "none";
}

export interface Perceptron {
  readonly name: string;
  readonly description: string;
  readonly layers: readonly Layer[];
}

/** The perceptron as an ONNX file: input `x` float32[1, first inputs], output `y` float32[1, last outputs]. */
export function encodeOnnx(perceptron: Perceptron): Uint8Array {
  const Model = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType("ModelProto");
  const first = perceptron.layers[0];
  const last = perceptron.layers.at(-1);
  if (first === undefined || last === undefined) throw new RangeError("a perceptron has at least one layer");
  const message = {
    ir_version: IR_VERSION,
    producer_name: "pipe-scheduler",
    doc_string: perceptron.description,
    opset_import: [{ domain: "", version: OPSET_VERSION }],
    graph: {
      name: perceptron.name,
      node: perceptron.layers.flatMap((layer, index) => layerNodes(layer, index, perceptron.layers.length)),
      initializer: perceptron.layers.flatMap((layer, index) => [
        tensor(`w${index}`, [layer.inputs, layer.outputs], layer.weights),
        tensor(`b${index}`, [layer.outputs], layer.bias),
      ]),
      input: [valueInfo("x", first.inputs)],
      output: [valueInfo("y", last.outputs)],
    },
  };
  return Uint8Array.from(Model.encode(Model.create(message)).finish());
}

function layerNodes(layer: Layer, index: number, layers: number): object[] {
  const from = index === 0 ? "x" : `h${index}`;
  const to = index === layers - 1 ? "y" : `h${index + 1}`;
  const gemm = { op_type: "Gemm", name: `gemm${index}`, input: [from, `w${index}`, `b${index}`] };
  if (layer.activation === "none") return [{ ...gemm, output: [to] }];
  const before = `a${index}`;
  return [
    { ...gemm, output: [before] },
    { op_type: layer.activation, name: `act${index}`, input: [before], output: [to] },
  ];
}

function tensor(name: string, dims: readonly number[], values: Float32Array): object {
  const raw = new Uint8Array(values.length * 4);
  const view = new DataView(raw.buffer);
  for (const [i, value] of values.entries()) view.setFloat32(i * 4, value, true);
  return { name, dims, data_type: FLOAT32, raw_data: raw };
}

function valueInfo(name: string, width: number): object {
  const shape = { dim: [{ dim_value: 1 }, { dim_value: width }] };
  return { name, type: { tensor_type: { elem_type: FLOAT32, shape } } };
}

/** The weights and biases of a file that `encodeOnnx` wrote, by tensor name (`w0`, `b0`, …). */
export function readInitializers(file: Uint8Array): ReadonlyMap<string, Float32Array> {
  const Model = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType("ModelProto");
  const model = Model.toObject(Model.decode(file)) as {
    graph: { initializer: { name: string; raw_data: Uint8Array }[] };
  };
  const tensors = new Map<string, Float32Array>();
  for (const { name, raw_data: raw } of model.graph.initializer) {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    tensors.set(
      name,
      Float32Array.from({ length: raw.byteLength / 4 }, (_, i) => view.getFloat32(i * 4, true)),
    );
  }
  return tensors;
}
