// A generator on one processor core: a chain of transposed convolutions in WebAssembly, four floats at a time.
//
//   clang --target=wasm32 -msimd128 -mbulk-memory -O3 -c kernel.c -o kernel.o
//   wasm-ld --no-entry --strip-all kernel.o -o kernel.wasm
//
// The first layer turns a latent, an image of one pixel, into rows x columns pixels: a product with a matrix for each of them.
// Layers of stride 2 have 4x4 kernels. Of the kernel's 16 places a pixel of the larger image sees only four; which four depends
// on whether its row and its column are even or odd. So such a layer is four 2x2 convolutions, whose images interleave.
// All others have 3x3 kernels and stride 1, and are 3x3 convolutions.
// All kinds are the same work: in each of rows x columns phases, every pixel that comes in gives one that goes out, by the
// product of its neighborhood of taps x taps pixels with a matrix.
//
// Images are floats [count, height, width, channels]. But for the latents, channels are padded to a multiple of GROUP, and there
// is a border of one pixel. Both are zero: fresh memory is, and only zero is written there. So the pixels of a neighborhood that
// lie side by side are one run of numbers, and there are no edges to look after.

#include <wasm_simd128.h>

#define EXPORT(name) __attribute__((export_name(#name))) name
#define GROUP 8 // outputs at a time
#define TILE 4  // pixels at a time

typedef float Vector __attribute__((vector_size(16)));
typedef unsigned long long Size;

typedef struct {
    int height, width, inputs; // of the images that come in
    int rows, columns, taps;   // phases and neighborhood
    int outputs;               // padded
    float slope;               // of the leaky ReLU; 1: none
    int tanh;                  // whether it follows
    const float *weights;      // [rows, columns, outputs / GROUP, taps, taps, inputs, GROUP]
    const float *bias;         // [outputs]
    float *images;             // what comes out
} Layer;

static Layer layers[64];
static int depth, batch;
static float *latents;
static unsigned char *pixels;

extern char __heap_base;
static Size used;

// Fresh memory.
static void *reserve(Size bytes) {
    Size start = ((used ? used : (unsigned long)&__heap_base) + 15) / 16 * 16;
    used = start + bytes;
    Size pages = (used + 65535) / 65536, present = __builtin_wasm_memory_size(0);
    if (pages > present && (pages > 65535 || __builtin_wasm_memory_grow(0, pages - present) == -1UL)) __builtin_trap();
    return (void *)(unsigned long)start;
}

// Memory for the caller to write to.
void *EXPORT(place)(unsigned bytes) { return reserve(bytes); }

// First: how many images are made at a time, at most, and how long latents are. They are to be written to where this says.
float *EXPORT(begin)(int most, int latent_size) {
    batch = most;
    return latents = reserve(sizeof(float) * (Size)most * latent_size);
}

// Brings a kernel [height, width, outputs, inputs] into the order in which it is read.
static const float *pack(const Layer *layer, const float *kernel, int width, int outputs, int inputs) {
    int taps = layer->taps;
    float *packed = reserve(sizeof(float) * (Size)layer->rows * layer->columns * taps * taps * layer->inputs * layer->outputs);
    float *to = packed;
    for (int row = 0; row < layer->rows; row++)
        for (int column = 0; column < layer->columns; column++)
            for (int group = 0; group < layer->outputs; group += GROUP)
                for (int tap = 0; tap < taps * taps; tap++) {
                    int y = row, x = column;
                    if (taps == 2) y = 3 - row - 2 * (tap / 2), x = 3 - column - 2 * (tap % 2);
                    if (taps == 3) y = 2 - tap / 3, x = 2 - tap % 3;
                    const float *from = kernel + (y * width + x) * outputs * inputs;
                    for (int input = 0; input < layer->inputs; input++)
                        for (int output = group; output < group + GROUP; output++)
                            *to++ = input < inputs && output < outputs ? from[output * inputs + input] : 0;
                }
    return packed;
}

// Then: add a layer; its kernel and its bias are copied. A slope below zero: tanh instead of the leaky ReLU.
void EXPORT(add_layer)(
    const float *kernel, const float *bias, int height, int width, int outputs, int inputs, int stride, float slope) {
    if (depth == sizeof(layers) / sizeof(*layers)) __builtin_trap();
    const Layer *last = depth ? &layers[depth - 1] : 0;
    Layer *layer = &layers[depth++];
    if (last)
        *layer = (Layer){.height = last->height * last->rows, .width = last->width * last->columns, .inputs = last->outputs,
                         .rows = stride, .columns = stride, .taps = stride == 2 ? 2 : 3};
    else
        *layer = (Layer){.height = 1, .width = 1, .inputs = inputs,
                         .rows = height, .columns = width, .taps = 1};
    layer->outputs = (outputs + GROUP - 1) / GROUP * GROUP;
    layer->tanh = slope < 0;
    layer->slope = slope < 0 ? 1 : slope;
    layer->weights = pack(layer, kernel, width, outputs, inputs);
    float *padded = reserve(sizeof(float) * layer->outputs);
    for (int i = 0; i < outputs; i++) padded[i] = bias[i];
    layer->bias = padded;
    Size area = (Size)(layer->height * layer->rows + 2) * (layer->width * layer->columns + 2);
    layer->images = reserve(sizeof(float) * batch * area * layer->outputs);
}

// tanh by Lambert's continued fraction x / (1 + x² / (3 + x² / (5 + ...))), to the 13, at a quarter of the argument, and twice
// tanh 2t = 2 tanh t / (1 + tanh² t). Beyond 9 it is 1 as a float.
static Vector hyperbolic_tangent(Vector x) {
    x = wasm_f32x4_pmax(wasm_f32x4_pmin(x, wasm_f32x4_splat(9)), wasm_f32x4_splat(-9));
    x *= 0.25f;
    Vector s = x * x;
    Vector t = x * (135135 + s * (17325 + s * (378 + s))) / (135135 + s * (62370 + s * (3150 + s * 28)));
    t = 2 * t / (1 + t * t);
    return 2 * t / (1 + t * t);
}

static void store(float *to, Vector left, Vector right, float slope) {
    wasm_v128_store(to, wasm_f32x4_pmax(left, left * slope));
    wasm_v128_store(to + 4, wasm_f32x4_pmax(right, right * slope));
}

// What it all comes down to: TILE pixels times GROUP outputs, held in registers while the inputs pass by.
static __attribute__((noinline)) void run_tile(
    const Layer *layer, const float *from[TILE], const float *weights, const float *bias, float *to[TILE]) {
    const int run = layer->taps * layer->inputs, next_row = (layer->width + 2) * layer->inputs;
    Vector a = wasm_v128_load(bias), b = wasm_v128_load(bias + 4);
    Vector c = a, d = b, e = a, f = b, g = a, h = b;
    for (int row = 0; row < layer->taps; row++) {
        const float *p = from[0] + row * next_row, *q = from[1] + row * next_row;
        const float *r = from[2] + row * next_row, *s = from[3] + row * next_row;
        for (const float *end = p + run; p < end; weights += GROUP) {
            Vector left = wasm_v128_load(weights), right = wasm_v128_load(weights + 4), input;
            input = wasm_v128_load32_splat(p++), a += input * left, b += input * right;
            input = wasm_v128_load32_splat(q++), c += input * left, d += input * right;
            input = wasm_v128_load32_splat(r++), e += input * left, f += input * right;
            input = wasm_v128_load32_splat(s++), g += input * left, h += input * right;
        }
    }
    store(to[0], a, b, layer->slope);
    store(to[1], c, d, layer->slope);
    store(to[2], e, f, layer->slope);
    store(to[3], g, h, layer->slope);
}

// GROUP outputs of all pixels of a phase. Where no four pixels are left, the last is made again.
static void run_group(
    const Layer *layer, const float *images, int count, int row, int column, int group, const float *weights) {
    const int border = layer->taps > 1, height = layer->height + 2 * border, width = layer->width + 2 * border;
    const int rows = layer->height * layer->rows + 2, columns = layer->width * layer->columns + 2;
    const float *from[TILE];
    float *to[TILE];
    int image = 0, y = 0, x = 0;
    for (int left = count * layer->height * layer->width; left > 0; left -= TILE) {
        for (int i = 0; i < TILE; i++) {
            int source = (image * height + y + row * border) * width + x + column * border;
            int target = (image * rows + y * layer->rows + row + 1) * columns + x * layer->columns + column + 1;
            from[i] = images + source * layer->inputs;
            to[i] = layer->images + target * layer->outputs + group;
            if (i + 1 < left && ++x == layer->width) {
                x = 0;
                if (++y == layer->height) y = 0, image++;
            }
        }
        run_tile(layer, from, weights, layer->bias + group, to);
    }
}

static void run_layer(const Layer *layer, const float *images, int count) {
    const float *weights = layer->weights;
    for (int row = 0; row < layer->rows; row++)
        for (int column = 0; column < layer->columns; column++)
            for (int group = 0; group < layer->outputs; group += GROUP) {
                run_group(layer, images, count, row, column, group, weights);
                weights += layer->taps * layer->taps * layer->inputs * GROUP;
            }
    if (!layer->tanh) return;
    int area = (layer->height * layer->rows + 2) * (layer->width * layer->columns + 2);
    Vector *end = (Vector *)(layer->images + count * area * layer->outputs);
    for (Vector *out = (Vector *)layer->images; out < end; out++) *out = hyperbolic_tangent(*out);
}

// Make images of the first `count` latents: [count, height + 2, width + 2, GROUP], padded and with their border.
const float *EXPORT(draw)(int count) {
    if (count > batch) __builtin_trap();
    const float *images = latents;
    for (int i = 0; i < depth; i++) {
        run_layer(&layers[i], images, count);
        images = layers[i].images;
    }
    return images;
}

// The same in bytes, RGBA [count, height, width, 4]: round((x + 1) * 127.5), half to even.
const unsigned char *EXPORT(paint)(int count) {
    const Layer *last = &layers[depth - 1];
    const int height = last->height * last->rows, width = last->width * last->columns;
    if (!pixels) pixels = reserve(4 * (Size)batch * height * width);
    const float *images = draw(count);
    unsigned char *to = pixels;
    for (int image = 0; image < count; image++)
        for (int y = 0; y < height; y++) {
            const float *from = images + ((image * (height + 2) + y + 1) * (width + 2) + 1) * last->outputs;
            for (int x = 0; x < width; x++, from += last->outputs, to += 4) {
                Vector value = wasm_v128_load(from);
                v128_t numbers = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest((value + 1) * 127.5f));
                v128_t bytes = wasm_u8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(numbers, numbers), numbers); // clips
                wasm_v128_store32_lane(to, bytes, 0);
                to[3] = 255;
            }
        }
    return pixels;
}
