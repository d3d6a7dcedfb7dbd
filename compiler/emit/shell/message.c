/*===- message.c - Error messages without a C library -----------*- C -*-===*/

#include "compiler/emit/shell/shell.h"

static const char *const type_names[] = {
    "undefined",      "float",        "uint8",          "int8",
    "uint16",         "int16",        "int32",          "int64",
    "string",         "bool",         "float16",        "double",
    "uint32",         "uint64",       "complex64",      "complex128",
    "bfloat16",       "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
    "float8e5m2fnuz", "uint4",        "int4",           "float4e2m1",
    "float8e8m0",     "uint2",        "int2",           "float6e2m3",
    "float6e3m2"};

static const char *const kind_names[] = {"none",     "tensor", "sparse tensor",
                                         "sequence", "map",    "optional"};

onnxc_line onnxc_line_begin(onnxc_error *error, int32_t status) {
  onnxc_line line = {NULL, NULL};
  if (!error)
    return line;
  error->status = status;
  error->message[0] = 0;
  line.at = error->message;
  line.end = error->message + sizeof(error->message) - 1;
  return line;
}

void onnxc_line_text(onnxc_line *line, const char *text) {
  if (!line->at)
    return;
  while (*text && line->at < line->end) {
    char c = *text++;
    *line->at++ = c == '\n' || c == '\r' ? ' ' : c; /* it stays one line */
  }
  *line->at = 0;
}

void onnxc_line_number(onnxc_line *line, int64_t number) {
  char digits[24];
  char *first = digits + sizeof(digits) - 1;
  uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
  *first = 0;
  do {
    *--first = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest);
  if (number < 0)
    *--first = '-';
  onnxc_line_text(line, first);
}

void onnxc_line_values(onnxc_line *line, const char *text,
                       const int64_t *values) {
  for (; *text; ++text) {
    if (text[0] == '{' && text[1] == '}') {
      onnxc_line_number(line, *values++);
      ++text;
      continue;
    }
    const char one[] = {*text, 0};
    onnxc_line_text(line, one);
  }
}

static void type_text(onnxc_line *line, uint32_t kind, int32_t elem_type) {
  if (kind != ONNXC_KIND_TENSOR) {
    size_t count = sizeof(kind_names) / sizeof(kind_names[0]);
    onnxc_line_text(line, kind < count ? kind_names[kind] : "unknown kind");
    return;
  }
  size_t count = sizeof(type_names) / sizeof(type_names[0]);
  if (elem_type >= 0 && (size_t)elem_type < count) {
    onnxc_line_text(line, type_names[elem_type]);
  } else {
    onnxc_line_text(line, "element type ");
    onnxc_line_number(line, elem_type);
  }
}

void onnxc_line_info(onnxc_line *line, const onnxc_value_info *info) {
  type_text(line, info->kind, info->elem_type);
  if (info->rank < 0) {
    onnxc_line_text(line, " of any rank");
    return;
  }
  onnxc_line_text(line, "[");
  for (int64_t i = 0; i < info->rank; ++i) {
    if (i)
      onnxc_line_text(line, ",");
    if (info->dims[i] >= 0)
      onnxc_line_number(line, info->dims[i]);
    else
      onnxc_line_text(line, info->dim_names && info->dim_names[i]
                                ? info->dim_names[i]
                                : "?");
  }
  onnxc_line_text(line, "]");
}

void onnxc_line_value(onnxc_line *line, const onnxc_value *value) {
  type_text(line, value->kind, value->elem_type);
  if (value->kind != ONNXC_KIND_TENSOR)
    return;
  if (value->rank < 0 || value->rank > ONNXC_MAX_RANK) {
    onnxc_line_text(line, " of rank ");
    onnxc_line_number(line, value->rank);
    return;
  }
  onnxc_line_text(line, "[");
  for (int64_t i = 0; i < value->rank; ++i) {
    if (i)
      onnxc_line_text(line, ",");
    onnxc_line_number(line, value->dims[i]);
  }
  onnxc_line_text(line, "]");
}
