#!/bin/sh
# Makes three.min.js again, from npm: sh make_three.sh. Needed only to change three_parts.js or the
# versions below; nobody needs node to install or to use the package.
set -eu
three=0.187.0
esbuild=0.28.2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/three_parts.js" "$work/"
cd "$work"
npm install --silent --no-save --ignore-scripts "three@$three" "esbuild@$esbuild"
node node_modules/esbuild/install.js
{
  echo "/* three.js $three, MIT License, Copyright 2010-2026 three.js authors: see LICENSE.three */"
  node_modules/.bin/esbuild three_parts.js --bundle --minify --format=iife --global-name=THREE \
    --legal-comments=none --target=es2020
} > "$here/three.min.js"
cp node_modules/three/LICENSE "$here/LICENSE.three"
