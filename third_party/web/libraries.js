export {
  BufferAttribute, BufferGeometry, Bone, Color, DirectionalLight, Fog, Group, HemisphereLight, Line,
  LineBasicMaterial, LineSegments, Matrix4, Mesh, MeshStandardMaterial, PCFShadowMap, PerspectiveCamera, PlaneGeometry,
  Quaternion, Scene, ShadowMaterial, Skeleton, SkinnedMesh, Vector3, WebGLRenderer,
} from "three";
export { OrbitControls } from "three/addons/controls/OrbitControls.js";
export { default as uPlot } from "uplot";
