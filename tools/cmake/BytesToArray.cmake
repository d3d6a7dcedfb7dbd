# cmake -DINPUT=file -DOUTPUT=file.inc -P BytesToArray.cmake: a file's bytes as the elements of a C array.
file(READ "${INPUT}" bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE "${OUTPUT}" "${bytes}\n")
