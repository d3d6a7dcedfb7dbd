"""Writes the operators of the installed onnx package as ODS (TableGen) definitions.

One definition for the newest version of each operator of ai.onnx, ai.onnx.ml and the preview domains; what an
operand, attribute or type of the schema becomes is in compiler/README.md, "The onnx dialect".
"""

import argparse
import re
from pathlib import Path

import onnx
from onnx import defs

# Domain -> (prefix of the mnemonic, prefix of the C++ class).
DOMAINS = {
    "": ("", ""),
    "ai.onnx.ml": ("ml.", "ML"),
    "ai.onnx.preview": ("preview.", "Preview"),
    "ai.onnx.preview.training": ("preview.training.", "Training"),
}
# Written by hand in OnnxDialect.td.
HAND_WRITTEN = {("", "Constant")}
# Whose results are not a function of the operands alone.
RANDOM = {
    "Bernoulli",
    "Dropout",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}
KINDS = ("tensor", "seq(tensor", "optional(tensor", "optional(seq(tensor")


def newest_schemas():
    """The newest version of each operator that is not deprecated."""
    usable, newest = {}, {}
    for schema in sorted(defs.get_all_schemas_with_history(), key=lambda schema: schema.since_version):
        key = (schema.domain, schema.name)
        if schema.domain in DOMAINS and key not in HAND_WRITTEN:
            newest[key] = schema
            if not schema.deprecated:
                usable[key] = schema
    # A deprecated operator of ai.onnx has a successor that the importer writes instead.
    return [schema for key, schema in sorted(usable.items()) if not (newest[key].deprecated and schema.domain == "")]


class Types:
    """The sets of allowed types that occur, each a named TableGen constraint."""

    def __init__(self):
        self.names = {}
        self.text = []

    def name(self, types, optional):
        key = (frozenset(types), optional)
        if key not in self.names:
            self.names[key] = f"OnnxType{len(self.names)}"
            self.text.append(self.define(self.names[key], sorted(types), optional))
        return self.names[key]

    @staticmethod
    def define(name, types, optional):
        masks = dict.fromkeys(KINDS, 0)
        maps = sequences_of_maps = False
        for text in types:
            if text.startswith("map("):
                maps = True
            elif text.startswith("seq(map("):
                sequences_of_maps = True
            else:
                kind, element = re.fullmatch(r"(.*tensor)\((\w+)\)\)*", text).groups()
                masks[kind] |= 1 << onnx.TensorProto.DataType.Value(element.upper())
        arguments = ", ".join(
            [f"0x{mask:x}" for mask in masks.values()] + [str(b).lower() for b in (maps, sequences_of_maps)]
        )
        predicate = f"::onnxc::op::isAllowed($_self, {{{arguments}, {str(optional).lower()}}})"
        summary = ", ".join(types) + (", or none" if optional else "")
        return f'def {name} : Type<CPred<"{predicate}">, "one of {summary}">;'


def string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def block(text):
    return text.replace("}]", "} ]").strip()


def attribute(schema_attribute):
    """The ODS attribute for one attribute of a schema."""
    kind = str(schema_attribute.type).split(".")[-1]
    base = {
        "INT": "I64Attr",
        "FLOAT": "F32Attr",
        "STRING": "StrAttr",
        "INTS": "DenseI64ArrayAttr",
        "FLOATS": "DenseF32ArrayAttr",
        "STRINGS": "StrArrayAttr",
        "TENSOR": "ElementsAttr",
        "TYPE_PROTO": "TypeAttr",
    }[kind]
    if schema_attribute.required:
        return base
    default = schema_attribute.default_value
    if not default.type:
        return f"OptionalAttr<{base}>"
    value = onnx.helper.get_attribute_value(default)
    if kind == "STRING":
        return f"DefaultValuedStrAttr<{base}, {string(value.decode())}>"
    if kind == "INT":
        return f'DefaultValuedAttr<{base}, "{value}">'
    if kind == "FLOAT":
        return f'DefaultValuedAttr<{base}, "{value!r}f">'
    if kind == "INTS":
        return f'DefaultValuedAttr<{base}, "{{{", ".join(map(str, value))}}}">'
    if kind == "STRINGS":
        items = ", ".join(f'\\"{item.decode()}\\"' for item in value)
        return f'DefaultValuedAttr<{base}, "{{{items}}}">'
    raise ValueError(f"{schema_attribute.name}: a default of type {kind}")


def parameters(formals, types):
    result = []
    for formal in formals:
        option = formal.option
        constraint = types.name(formal.types, option == defs.OpSchema.FormalParameterOption.Optional)
        if option == defs.OpSchema.FormalParameterOption.Variadic:
            constraint = f"Variadic<{constraint}>"
        result.append(f"{constraint}:${formal.name}")
    return result


def operation(schema, types):
    prefix, class_prefix = DOMAINS[schema.domain]
    regions, attributes = [], []
    for name, schema_attribute in sorted(schema.attributes.items()):
        if schema_attribute.type == defs.OpSchema.AttrType.GRAPH:
            regions.append(f"AnyRegion:${name}")
        else:
            attributes.append(f"{attribute(schema_attribute)}:${name}")
    if regions:
        traits = "[RecursivelySpeculatable, RecursiveMemoryEffects]"
    else:
        traits = "[]" if schema.name in RANDOM else "[Pure]"
    domain = schema.domain or "ai.onnx"
    lines = [
        f'def Onnx_{class_prefix}{schema.name}Op : Onnx_Operator<"{prefix}{schema.name}", {traits}> {{',
        f"  let summary = {string(f'{schema.name} of {domain}, version {schema.since_version}')};",
        f"  let description = [{{\n{block(schema.doc)}\n  }}];",
        f"  let arguments = (ins {', '.join(parameters(schema.inputs, types) + attributes)});",
        f"  let results = (outs {', '.join(parameters(schema.outputs, types))});",
    ]
    if regions:
        lines.append(f"  let regions = (region {', '.join(regions)});")
    return "\n".join([*lines, "}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    types = Types()
    operations = [operation(schema, types) for schema in newest_schemas()]
    output.write_text(
        f"// Written by dialects/onnx/generate_ods.py from onnx {onnx.__version__}.\n"
        'include "dialects/onnx/OnnxDialect.td"\n\n' + "\n".join(types.text) + "\n\n" + "\n\n".join(operations) + "\n"
    )


if __name__ == "__main__":
    main()
