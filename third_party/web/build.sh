#!/bin/sh
# Makes anylift_cli/report/page/libraries.min.js from the packages pinned in package-lock.json. Needs Node.js and npm.
set -eu
cd "$(dirname "$0")"
out=../../anylift_cli/report/page/libraries.min.js
npm ci --no-audit --no-fund
npx esbuild libraries.js --bundle --minify --format=iife --global-name=libraries --legal-comments=none \
  --target=es2022 --charset=utf8 --outfile=node_modules/libraries.min.js
cp node_modules/three/LICENSE LICENSE.three
cp node_modules/uplot/LICENSE LICENSE.uplot
{
  echo "/*! three.js 0.187.0, https://threejs.org"
  cat LICENSE.three
  echo "uPlot 1.6.32, https://github.com/leeoniya/uPlot"
  cat LICENSE.uplot
  echo "*/"
  cat node_modules/libraries.min.js
} > "$out"
