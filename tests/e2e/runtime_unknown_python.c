#include "runtime_unknown.h"

FORBIDDEN(Py_AddPendingCall)
FORBIDDEN(PyGILState_GetThisThreadState)
FORBIDDEN(PyImport_ImportModuleLevel)
FORBIDDEN(PySys_GetObject)
FORBIDDEN(PyObject_GetAttrString)
FORBIDDEN(PyList_New)
FORBIDDEN(PyList_Append)
FORBIDDEN(PyList_Size)
FORBIDDEN(PyList_GetItem)
FORBIDDEN(PyTuple_GetItem)
FORBIDDEN(PyDict_Next)
FORBIDDEN(PyDict_Size)
FORBIDDEN(PyDict_GetItemString)
FORBIDDEN(PyDict_SetItemString)
FORBIDDEN(PyLong_AsLong)
FORBIDDEN(PyUnicode_CompareWithASCIIString)
FORBIDDEN(PyCapsule_New)
FORBIDDEN(PyCapsule_GetPointer)
FORBIDDEN(PyCFunction_NewEx)
FORBIDDEN(PyObject_CallObject)
FORBIDDEN(PyObject_GC_UnTrack)
FORBIDDEN(PyMem_GetAllocator)
FORBIDDEN(PyErr_Clear)
FORBIDDEN(PyErr_WriteUnraisable)
FORBIDDEN(Py_IncRef)
FORBIDDEN(Py_DecRef)
FORBIDDEN(PyThreadState_GetUnchecked)
FORBIDDEN(PyInterpreterState_Main)
FORBIDDEN(PyThreadState_GetInterpreter)
FORBIDDEN(PyInterpreterState_GetDict)

char *_Py_NoneStruct, *_PyRuntime;

int Py_IsInitialized(void);
const char *Py_GetVersion(void);

int Py_IsInitialized(void)
{
    return 1;
}

const char *Py_GetVersion(void)
{
    return "3.99.0 (main, some day)";
}

void unknown_use(void)
{
}
