#!/usr/bin/env bash
# Make the folder $1 a Vulkan SDK for the tests on Debian or Ubuntu, as root: a shader compiler,
# a software device (Mesa's llvmpipe), and headers that are new enough for the engine even where
# the system's own are not (Debian 12: those of Debian 13 are unpacked aside, not installed).
#
#     scripts/vulkan_test_sdk.sh /tmp/vulkan && export TEST_SMOLPC_VULKAN_SDK=/tmp/vulkan
set -euo pipefail
sdk=$(mkdir -p "$1" && cd "$1" && pwd)
needed=1.3.275

apt-get -q update
apt-get install -y -q --no-install-recommends glslc libvulkan-dev mesa-vulkan-drivers spirv-headers
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
root=/usr
if dpkg --compare-versions "$(dpkg-query -Wf '${Version}' libvulkan-dev)" lt "$needed"; then
    root="$sdk/newer/usr"
    mkdir -p "$sdk"/apt/{lists/partial,archives/partial}
    cat > "$sdk/apt/newer.sources" <<SOURCES
Types: deb
URIs: http://deb.debian.org/debian
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
    options=(
        -o "Dir::Etc::sourcelist=$sdk/apt/newer.sources" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$sdk/apt/lists" -o "Dir::Cache=$sdk/apt" -o APT::Sandbox::User=root
    )
    apt-get -q "${options[@]}" update
    (cd "$sdk/apt" && apt-get -q "${options[@]}" download libvulkan-dev spirv-headers)
    for package in "$sdk"/apt/*.deb; do dpkg -x "$package" "$sdk/newer"; done
fi

mkdir -p "$sdk"/{bin,lib/pkgconfig,share/cmake}
ln -sfn "$(command -v glslc)" "$sdk/bin/glslc"
ln -sfn "$root/include" "$sdk/include"
ln -sfn "$root/share/cmake/SPIRV-Headers" "$sdk/share/cmake/SPIRV-Headers"
ln -sfn "$root/lib/$multiarch/pkgconfig/vulkan.pc" "$sdk/lib/pkgconfig/vulkan.pc"
ln -sfn "/usr/lib/$multiarch/libvulkan.so" "$sdk/lib/libvulkan.so"
echo "Vulkan SDK for tests: $(sed -n 's/^Version: //p' "$sdk/lib/pkgconfig/vulkan.pc") in $sdk"
