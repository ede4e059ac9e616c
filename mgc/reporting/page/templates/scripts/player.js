// A line on the picture follows the sound; a click on the picture seeks there. One plays at a time.
const players = [...document.querySelectorAll(".hard .card")].map((card) => ({
  sound: card.querySelector("audio"), image: card.querySelector(".image"), head: card.querySelector(".head"),
})).filter((player) => player.sound);

for (const { sound, image, head } of players) {
  const follow = () => {
    if (head) {
      head.hidden = false;
      head.style.left = (100 * sound.currentTime) / (sound.duration || 1) + "%";
    }
    if (!sound.paused) requestAnimationFrame(follow);
  };
  sound.addEventListener("play", () => {
    for (const other of players) if (other.sound !== sound) other.sound.pause();
    follow();
  });
  sound.addEventListener("seeked", follow);
  if (!image) continue;
  image.addEventListener("click", (event) => {
    const box = image.getBoundingClientRect();
    if (sound.duration) sound.currentTime = (sound.duration * (event.clientX - box.left)) / box.width;
  });
}
