// The large face. It always shows the newest of the latents that it was given, and skips those that came too fast.

export class Stage {
  constructor(engine, canvas) {
    Object.assign(this, { engine, canvas, latent: null, waiting: null, sharp: false, drawn: 0 });
    this.face = document.createElement("canvas");
    engine.users.unshift(() => this.next());
    new ResizeObserver(() => this.paint()).observe(canvas);
  }

  /** Show a latent; `hurry` while the visitor is moving it, so that the wall waits. */
  show(latent, hurry = false) {
    this.latent = this.waiting = latent;
    if (hurry) this.engine.hurried = performance.now() + 500;
    this.engine.pump();
  }

  next() {
    if (!this.waiting) return null;
    const latents = [this.waiting];
    this.waiting = null;
    return {
      latents,
      done: ([pixels]) => {
        this.drawn++;
        this.engine.paint(this.face, pixels);
        this.paint();
      },
    };
  }

  paint() {
    const side = Math.round(this.canvas.clientWidth * Math.min(devicePixelRatio, 3));
    if (!side || !this.drawn) return;
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    const context = this.canvas.getContext("2d");
    Object.assign(context, { imageSmoothingEnabled: !this.sharp, imageSmoothingQuality: "high" });
    const { width, height } = this.face;
    const zoom = side / Math.max(width, height);
    context.clearRect(0, 0, side, side);
    context.drawImage(this.face, (side - width * zoom) / 2, (side - height * zoom) / 2, width * zoom, height * zoom);
  }
}
