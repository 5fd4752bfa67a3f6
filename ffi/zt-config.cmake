# find_package(zt CONFIG) gives two targets, zt::zt with the shared library and zt::static with the other,
# for an installation that has this file in lib/cmake/zt.
include(CMakeFindDependencyMacro)
find_dependency(Threads)

get_filename_component(_zt_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(_zt_name "${CMAKE_SHARED_LIBRARY_PREFIX}zt${CMAKE_SHARED_LIBRARY_SUFFIX}")

if(NOT TARGET zt::zt)
    add_library(zt::zt SHARED IMPORTED)
    set_target_properties(zt::zt PROPERTIES
        IMPORTED_LOCATION "${_zt_prefix}/lib/${_zt_name}"
        IMPORTED_SONAME "${_zt_name}"
        INTERFACE_INCLUDE_DIRECTORIES "${_zt_prefix}/include")
endif()

if(NOT TARGET zt::static)
    add_library(zt::static STATIC IMPORTED)
    set_target_properties(zt::static PROPERTIES
        IMPORTED_LOCATION "${_zt_prefix}/lib/libzt.a"
        INTERFACE_INCLUDE_DIRECTORIES "${_zt_prefix}/include"
        INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS};m")
endif()
