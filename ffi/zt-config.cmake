# find_package(zt CONFIG) gives the target zt::zt, for an installation with this file in lib/cmake/zt.
get_filename_component(_zt_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
find_library(_zt_library zt PATHS "${_zt_prefix}/lib" NO_DEFAULT_PATH REQUIRED)

if(NOT TARGET zt::zt)
    add_library(zt::zt UNKNOWN IMPORTED)
    set_target_properties(zt::zt PROPERTIES
        IMPORTED_LOCATION "${_zt_library}"
        INTERFACE_INCLUDE_DIRECTORIES "${_zt_prefix}/include")
endif()
