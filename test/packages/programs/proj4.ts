import proj4 from 'proj4';
proj4.defs('EPSG:31467', '+proj=tmerc +lat_0=0 +lon_0=9 +k=1 +x_0=3500000 +y_0=0 +ellps=bessel +units=m +no_defs');
const project = proj4('EPSG:4326', 'EPSG:31467');
export const inputs = ['9 50'];
export const predictOne = (s: string) => {
  const at = s.split(' ').map(Number);
  return [
    project.forward(at).map(Math.round),
    proj4('EPSG:31467', 'EPSG:4326', [3500000, 5540000]).map((each: number) => each.toFixed(4)),
  ];
};
