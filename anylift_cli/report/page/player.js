// The page's one clock: a frame of the scene. It follows the video while that plays, else its own timer.

class Player {
  constructor(video, times, onFrame, onState) {
    this.video = video;
    this.times = times;
    this.onFrame = onFrame;
    this.onState = onState;
    this.frame = 0;
    this.playing = false;
    this.speed = 1;
    this.wanted = null;
    if (video) this.attach(video);
  }

  get time() {
    return this.times[this.frame];
  }

  get step() {
    return this.times.length > 1 ? (this.times.at(-1) - this.times[0]) / (this.times.length - 1) : 1 / 30;
  }

  attach(video) {
    video.addEventListener("seeked", () => this.seekVideo());
    video.addEventListener("ended", () => this.finish());
    if (video.requestVideoFrameCallback) {
      const shown = (_, { mediaTime }) => {
        if (this.playing) this.show(nearest(this.times, mediaTime));
        video.requestVideoFrameCallback(shown);
      };
      video.requestVideoFrameCallback(shown);
    }
  }

  detach() {
    const playing = this.playing;
    this.pause();
    this.video = null;
    if (playing) this.play();
  }

  show(frame) {
    const clamped = Math.min(Math.max(frame, 0), this.times.length - 1);
    if (clamped === this.frame) return;
    this.frame = clamped;
    this.onFrame(clamped);
  }

  seekFrame(frame) {
    this.show(frame);
    this.begun = null;
    this.wanted = this.time + 0.4 * this.step;
    if (this.video && !this.video.seeking) this.seekVideo();
  }

  seek(time) {
    this.seekFrame(nearest(this.times, time));
  }

  seekVideo() {
    if (this.wanted === null || !this.video) return;
    this.video.currentTime = Math.min(this.wanted, this.video.duration || this.wanted);
    this.wanted = null;
  }

  setSpeed(speed) {
    this.speed = speed;
    this.begun = null;
    if (this.video) this.video.playbackRate = speed;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (this.frame === this.times.length - 1) this.seekFrame(0);
    this.playing = true;
    this.begun = null;
    if (this.video) {
      this.video.playbackRate = this.speed;
      this.video.play().catch(() => this.pause());
    }
    this.onState(true);
    requestAnimationFrame((now) => this.tick(now));
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    if (this.video) {
      this.video.pause();
      this.seekFrame(this.frame);
    }
    this.onState(false);
  }

  finish() {
    if (!this.playing) return;
    this.show(this.times.length - 1);
    this.pause();
  }

  tick(now) {
    if (!this.playing) return;
    if (!this.video) this.advance(now);
    else if (!this.video.requestVideoFrameCallback && !this.video.seeking) {
      this.show(nearest(this.times, this.video.currentTime - 0.5 * this.step));
    }
    requestAnimationFrame((later) => this.tick(later));
  }

  advance(now) {
    this.begun ??= { now, time: this.time };
    const time = this.begun.time + ((now - this.begun.now) / 1000) * this.speed;
    if (time >= this.times.at(-1)) this.finish();
    else this.show(nearest(this.times, time));
  }
}
